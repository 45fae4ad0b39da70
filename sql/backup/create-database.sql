-- the database of a private server, with the origin's encoding and locale
CREATE DATABASE :"database" OWNER :"owner" TEMPLATE template0 ENCODING :'encoding' LC_COLLATE :'collate' LC_CTYPE :'ctype'
