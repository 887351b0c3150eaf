"""What people read of a run or a comparison: words, tables, pictures, pages."""
