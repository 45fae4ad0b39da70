-- has deferred constraints judge the probe row now
SET CONSTRAINTS ALL IMMEDIATE
