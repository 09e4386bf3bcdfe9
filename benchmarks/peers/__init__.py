"""What we are measured against, written fresh the way its public example does it."""
