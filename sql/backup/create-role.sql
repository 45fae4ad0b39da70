-- a role of the origin in a private server, without password; every role may log in, because only we reach the socket
CREATE ROLE :"role" LOGIN :{attributes}
