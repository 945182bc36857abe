"""The notary: a child process that alone holds the receipt key. It chains, makes durable, then signs, then answers.

So a signature proves durability, and whoever reads the gateway's memory cannot forge a receipt. What it has not
answered is in doubt. Importing this package alone loads nothing.
"""
