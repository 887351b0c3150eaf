"""Passes over Parquet files, and what is kept of them.

What rows are called on the way down: a file has row groups; neighbouring row groups are worked on
as one stretch; a stretch is decoded in pieces; a piece becomes a batch (numbers with their gaps,
categories as codes, folds); a batch is summed tile by tile, row vector by row vector.
"""
