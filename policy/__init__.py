"""Library: tokens in, tokens out. Knows no SQL and no HTTP."""
