-- writes our marker; SHARE UPDATE EXCLUSIVE on the database, which blocks no session
COMMENT ON DATABASE :"database" IS :'marker'
