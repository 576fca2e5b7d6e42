"""Other services' APIs, each a way to the same services: what is sent is translated, what is answered translated back."""
