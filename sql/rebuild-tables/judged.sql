-- what judge-rows found in this session; locks nothing
SELECT current_setting('lossless.judged')::json AS judged
