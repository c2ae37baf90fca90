"""Pure decisions, one question per file: values in, a small value with a reason out. Nothing here waits or looks at a clock."""
