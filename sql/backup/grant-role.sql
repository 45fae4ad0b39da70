-- a membership of the origin in a private server
GRANT :"group" TO :"role"
