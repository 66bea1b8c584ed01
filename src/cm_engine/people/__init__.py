"""The people who run programs: who they are, what each may do, and what takes two of them."""
