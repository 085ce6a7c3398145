"""What training minimises and what an evaluation reports."""
