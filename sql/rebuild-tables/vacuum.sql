-- sets hint bits and the visibility map of a shadow once, before its indexes are built; SHARE UPDATE EXCLUSIVE on it
VACUUM :"table"
