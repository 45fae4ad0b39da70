-- drops a function of ours that nothing uses (no CASCADE: a trigger that still uses it keeps it)
DROP FUNCTION :"function"(:{arguments})
