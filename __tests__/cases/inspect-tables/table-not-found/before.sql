CREATE TABLE "Project_Memory" (id int);
