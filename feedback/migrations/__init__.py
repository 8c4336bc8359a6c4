"""The tables' history, applied whenever a store is opened."""
