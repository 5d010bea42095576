"""Where attempts run: each is a `concurrent.futures.Executor` or drives one."""
