"""What a call may use, and what it did use: prompts, responses, streams, exceptions, and what they teach."""
