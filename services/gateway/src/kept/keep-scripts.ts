/** A text counts this much more: its key and its entries take up to 0.7 KB of Redis. */
const MORE_BYTES = 1024;
/** Most texts that give way to one: a record of a mebibyte, in characters of three bytes, to 3,072 short ones. */
const MOST_DROPPED = 4096;

/**
 * KEYS: the text, and the prefix of its kind's lists. ARGV: the owner. Each text has the entry `BYTES KEY OWNER`, which
 * says all that must be known once the text is gone. The lists: `:ends`, the entries of all by the millisecond at which
 * they expire; `:of:OWNER`, an owner's by age; `:owners`, their bytes; and `:bytes`, the sum of these.
 */
const LISTS = `
local key, lists, owner = KEYS[1], KEYS[2], ARGV[1]
local function entryOf(length)
  return (length + ${MORE_BYTES}) .. " " .. key .. " " .. owner
end
local function nowMs()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function begins(beginning)
  return beginning == "" or redis.call("GETRANGE", key, 0, #beginning - 1) == beginning
end
local function count(owner, bytes)
  redis.call("INCRBY", lists .. ":bytes", bytes)
  local left = redis.call("ZINCRBY", lists .. ":owners", bytes, owner)
  if tonumber(left) == 0 then redis.call("ZREM", lists .. ":owners", owner) end
end
local function forget(entry)
  if redis.call("ZREM", lists .. ":ends", entry) == 0 then return end
  local bytes, owner = string.match(entry, "^(%d+) %S+ (.*)$")
  redis.call("ZREM", lists .. ":of:" .. owner, entry)
  count(owner, -bytes)
end`;

/**
 * Further ARGV: the text, its time to live in seconds, the most bytes of all texts, NX (only a new key), XX (only an
 * existing one) or "", and how an existing text must begin. Returns whether the text is kept: 1 or 0.
 */
export const KEEP = `${LISTS}
local length = redis.call("STRLEN", key)
if length > 0 and not begins(ARGV[6]) then return 0 end
if (ARGV[5] == "NX" and length > 0) or (ARGV[5] == "XX" and length == 0) then return 0 end
local entry, bytes = entryOf(#ARGV[2]), #ARGV[2] + ${MORE_BYTES}
forget(entryOf(length))
forget(entry)
local now = nowMs()
for _ = 1, ${MOST_DROPPED} do
  local gone = redis.call("ZRANGEBYSCORE", lists .. ":ends", "-inf", now, "LIMIT", 0, 1)[1]
  if not gone then
    if (redis.call("GET", lists .. ":bytes") or 0) + bytes <= tonumber(ARGV[4]) then break end
    local heaviest = redis.call("ZREVRANGE", lists .. ":owners", 0, 0)[1]
    gone = heaviest and redis.call("ZRANGE", lists .. ":of:" .. heaviest, 0, 0)[1]
    if not gone then break end
    redis.call("UNLINK", string.match(gone, " (%S+) "))
  end
  forget(gone)
end
redis.call("SET", key, ARGV[2], "EX", ARGV[3])
local youngest = redis.call("ZRANGE", lists .. ":of:" .. owner, -1, -1, "WITHSCORES")[2] or 0
redis.call("ZADD", lists .. ":of:" .. owner, youngest + 1, entry)
redis.call("ZADD", lists .. ":ends", now + ARGV[3] * 1000, entry)
count(owner, bytes)
return 1`;

/** Further ARGV: how the text must begin, and its time to live in seconds. Returns whether it is there: 1 or 0. */
export const LENGTHEN = `${LISTS}
if not begins(ARGV[2]) or redis.call("EXPIRE", key, ARGV[3]) == 0 then return 0 end
redis.call("ZADD", lists .. ":ends", "XX", nowMs() + ARGV[3] * 1000, entryOf(redis.call("STRLEN", key)))
return 1`;

/** Further ARGV: how the text must begin. */
export const DROP = `${LISTS}
if not begins(ARGV[2]) then return 0 end
forget(entryOf(redis.call("STRLEN", key)))
return redis.call("UNLINK", key)`;
