"""The one result that every engine returns, and its parts."""
