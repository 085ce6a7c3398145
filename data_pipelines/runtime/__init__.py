"""What every command needs: how it runs and ends, errors in one sentence, progress, whole files."""
