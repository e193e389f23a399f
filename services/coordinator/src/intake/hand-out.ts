import { COSTS } from "./replica-costs.js";

/**
 * Gives a coordinator the waiting jobs that cost least there, all at once, and calls the coordinators that should have
 * the others. One script, so that a job is in its queue or taken, also when its taker dies.
 *
 * KEYS: the loads; of BullMQ's queue the jobs with turns, those without, those that run, its events and its settings;
 * who is called for which job; and what was handed to whom last. ARGV: as COSTS, then the lane, the beginning of
 * BullMQ's keys of jobs, the beginning of channels, how long a coordinator has time to take a job (ms), the most jobs
 * to look at, and bytes of jobs after which no more are read or taken; the taker's time (Unix milliseconds), and the
 * locks' token and milliseconds. Returns of each job taken its id, the rows to be computed here, and its fields.
 *
 * When a connection breaks before Redis has answered, the same question comes again, known by its token: the answer is
 * what was taken then, which would be nobody's otherwise until its locks expire.
 *
 * The first that asks decides who takes a job, and calls that one. Others believe it, until the job is taken, or that
 * coordinator is slow, gone, or can hold no more. Jobs that wait to be taken count in the costs of those behind them.
 */
export const HAND_OUT = `${COSTS}
local LANE, JOB, CALL, SLOW = ARGV[6], ARGV[7], ARGV[8], tonumber(ARGV[9])
local MOST, BYTES = tonumber(ARGV[10]), tonumber(ARGV[11])
local TURNS, WAIT, ACTIVE, EVENTS, SETTINGS, CALLED = KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local HANDED, TOKEN = KEYS[8], ARGV[13]

local last = redis.call("HGET", HANDED, ME)
last = last and cjson.decode(last)
if last and last.token == TOKEN then
  local again = {}
  for _, job in ipairs(last.jobs) do
    local key = JOB .. job[1]
    if redis.call("GET", key .. ":lock") == TOKEN then
      again[#again + 1] = {job[1], job[2], redis.call("HGETALL", key)}
    end
  end
  return again
end

if redis.call("HEXISTS", SETTINGS, "paused") == 1 then return {} end

local loads, by_id, called, room = living(), {}, {}, 0
for _, load in ipairs(loads) do
  by_id[load.id] = load
  room = room + load[LANE]
end
local calls = redis.call("HGETALL", CALLED)
for i = 1, #calls, 2 do called[calls[i]] = calls[i + 1] end
-- No others can be decided on.
local most = math.min(MOST, room + #calls / 2)
if most == 0 then return {} end

-- Jobs in the order in which they should be taken: those without a turn first, of which the list's last came first.
local jobs, list = {}, redis.call("LRANGE", WAIT, -most, -1)
for i = #list, 1, -1 do jobs[#jobs + 1] = list[i] end
if #jobs < most then
  for _, job in ipairs(redis.call("ZRANGE", TURNS, 0, most - #jobs - 1)) do jobs[#jobs + 1] = job end
end

-- Where a job costs least, and the rows that it lacks there; nil while nobody can hold it, or after enough were read.
local bytes_read = 0
local function choose(job, slow)
  local free = {}
  for _, load in ipairs(loads) do
    if load[LANE] > 0 and load.id ~= slow then free[#free + 1] = load end
  end
  if #free == 0 or bytes_read >= BYTES then return nil end
  local data = redis.call("HGET", JOB .. job, "data") or ""
  bytes_read = bytes_read + #data
  local _, at = string.find(data, '"route":"', 1, true)
  local route = routed(at and string.match(data, '^([^"]*)"', at + 1) or "")
  local best, least, lacks
  for _, load in ipairs(free) do
    local its, missing = cost(load, route)
    if not best or better(its, load, least, best) then best, least, lacks = load, its, missing end
  end
  if #route.links > 0 then
    redis.call("SADD", PREFIXES .. best.id, unpack(route.links))
    redis.call("EXPIRE", PREFIXES .. best.id, KEPT)
  end
  return best, lacks
end

-- As BullMQ moves a job to those that run.
local taken, handed, bytes_taken = {}, {}, 0
local function take(job, lacks)
  local key = JOB .. job
  redis.call("SET", key .. ":lock", TOKEN, "PX", ARGV[14])
  redis.call("LPUSH", ACTIVE, job)
  if redis.call("ZREM", TURNS, job) == 0 then redis.call("LREM", WAIT, -1, job) end
  redis.call("XADD", EVENTS, "*", "event", "active", "jobId", job, "prev", "waiting")
  redis.call("HSET", key, "processedOn", ARGV[12])
  redis.call("HINCRBY", key, "ats", 1)
  taken[#taken + 1] = {job, tonumber(lacks), redis.call("HGETALL", key)}
  handed[#handed + 1] = {job, tonumber(lacks)}
  bytes_taken = bytes_taken + redis.call("HSTRLEN", key, "data")
end

local kept, awaited = {}, {}
for _, job in ipairs(jobs) do
  local id, since, lacks = string.match(called[job] or "", "^(%S+) (%d+) (%d+)$")
  local load = id and by_id[id]
  local slow = load and id ~= ME and (since + SLOW <= ms or tonumber(since) > ms) and id
  if not load or slow or load[LANE] <= 0 then
    local other, rows = choose(job, slow)
    if other then
      load, since, lacks = other, ms, rows
      awaited[other.id] = true
    end
  end
  if load then
    local is_mine = load.id == ME and load[LANE] > 0 and bytes_taken < BYTES
    begin(load, lacks)
    load[LANE] = math.max(0, load[LANE] - 1)
    if is_mine then
      take(job, lacks)
    else
      kept[#kept + 1] = job
      kept[#kept + 1] = string.format("%s %.0f %.0f", load.id, since, lacks)
    end
  end
end

if #handed > 0 then
  redis.call("HSET", HANDED, ME, cjson.encode({token = TOKEN, jobs = handed}))
  redis.call("EXPIRE", HANDED, KEPT)
end
redis.call("DEL", CALLED)
if #kept > 0 then
  redis.call("HSET", CALLED, unpack(kept))
  redis.call("EXPIRE", CALLED, KEPT)
end
awaited[ME] = nil
for id in pairs(awaited) do redis.call("PUBLISH", CALL .. id, LANE) end
write(by_id[ME])
return taken`;
