"""Which models are in memory, and the tokens that they give: here what asks, beside it the process
that decodes (`process.py`), and between them messages (`orders.py`).
"""
