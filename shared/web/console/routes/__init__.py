"""The routes of the console, a module for each page with the forms on it."""
