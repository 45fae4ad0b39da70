-- frees the space of drained rows for new ones, and keeps the file as it is: giving it back would lock out the application's writes; SHARE UPDATE EXCLUSIVE on the log
VACUUM (TRUNCATE false) :"log"
