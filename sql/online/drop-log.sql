-- drops a change log of ours; locks nothing of the application once the capture triggers are gone
DROP TABLE IF EXISTS :"log"
