-- Gives the plan author's SQL an ordinary search path until the transaction ends; locks nothing.
SET LOCAL search_path = :{path}
