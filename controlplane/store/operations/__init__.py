"""What is done to the state, in the words of the domain. Each function is one transaction."""
