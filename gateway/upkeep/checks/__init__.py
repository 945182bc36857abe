"""What `verify` looks at, one room a noun. Each check reads rows as they stream and blocks as they are named."""
