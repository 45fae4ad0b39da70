-- a step that was undone starts anew: its newest receipt is cleared, the history stays
UPDATE lossless.step SET receipt = NULL WHERE run = $1 AND id = $2
