"""The pictures that a data set is made from: found in folders, checked, cleaned, held in memory."""
