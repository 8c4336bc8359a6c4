"""The gate's checks, a file for each kind; each says what it measured as a `Reason`."""
