"""What the control plane and the agent must agree on: words, shapes and the conversation. No I/O."""
