/**
 * The beginning of the scripts that compare coordinators, in Lua. KEYS[1]: the loads. ARGV: this coordinator, its load,
 * how fresh loads must be in milliseconds, seconds that keys are kept, and the beginning of the names of sets of links.
 * Writes this coordinator's load.
 *
 * A load is numbers: jobs held; sequences that run at most; rows of prompts to be computed; microseconds of such a
 * row, of a token alone and of one beside all others, and until a place is free; tokens of an answer; jobs that may
 * be taken of each lane; and when that was so, in Unix milliseconds.
 *
 * What a job costs on a coordinator, in microseconds of anybody's time. It waits for a place, and for the prompts that
 * came before. Then its own rows, those that the prefix cache lacks, and its tokens are computed, beside others. And
 * these wait for its rows, and for the share of its row in each of their steps.
 */
export const COSTS = `
local ME, KEPT, PREFIXES = ARGV[1], ARGV[4], ARGV[5]
local FIELDS = {"held", "limit", "rows", "row", "alone", "full", "place", "answer", "interactive", "batch", "at"}
local time = redis.call("TIME")
local ms = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call("HSET", KEYS[1], ME, ARGV[2] .. " " .. string.format("%.0f", ms))
redis.call("EXPIRE", KEYS[1], KEPT)

-- The loads of coordinators that take jobs. Those of others are removed.
local function living()
  local loads, all = {}, redis.call("HGETALL", KEYS[1])
  local answers = 0
  for i = 1, #all, 2 do
    local load, field = {id = all[i]}, 0
    for number in string.gmatch(all[i + 1], "%d+") do
      field = field + 1
      if FIELDS[field] then load[FIELDS[field]] = tonumber(number) end
    end
    -- One of the future is of a clock that was set back since, or of a Redis that this one has replaced.
    if field == #FIELDS and load.at <= ms and load.at + ARGV[3] >= ms then
      loads[#loads + 1] = load
      answers = answers + load.answer
    else
      redis.call("HDEL", KEYS[1], load.id)
    end
  end
  -- All have the same model's answers; and one that has not run a step yet is taken to be as fast as the others.
  for _, load in ipairs(loads) do load.answer = answers / #loads end
  for _, field in ipairs({"row", "alone", "full"}) do
    local sum, known = 0, 0
    for _, load in ipairs(loads) do
      if load[field] > 0 then sum, known = sum + load[field], known + 1 end
    end
    for _, load in ipairs(loads) do
      if load[field] == 0 and known > 0 then load[field] = sum / known end
    end
  end
  return loads
end

local function write(load)
  local numbers = {}
  for i, field in ipairs(FIELDS) do numbers[i] = string.format("%.0f", load[field]) end
  redis.call("HSET", KEYS[1], load.id, table.concat(numbers, " "))
end

-- A route's numbers and links; see prefix-links.ts.
local function routed(text)
  local tokens, most, span, packed = string.match(text, "^(%d+) (%d+) (%d+) (.*)$")
  local route = {tokens = tonumber(tokens or 0), most = tonumber(most or 0), span = tonumber(span or 0), links = {}}
  for at = 1, #(packed or "") - 10, 11 do route.links[#route.links + 1] = string.sub(packed, at, at + 10) end
  return route
end

-- Rows of the prompt that a coordinator's cache lacks.
local function lacking(id, route)
  if #route.links > 0 then
    local held = redis.call("SMISMEMBER", PREFIXES .. id, unpack(route.links))
    for i = #held, 1, -1 do if held[i] == 1 then return route.tokens - i * route.span end end
  end
  return route.tokens
end

local function cost(load, route, known)
  local lacks = known or lacking(load.id, route)
  local answer = math.min(route.most, load.answer)
  local slower = math.max(0, load.full - load.alone) / math.max(1, load.limit - 1)
  local beside = math.min(load.held, load.limit - 1)
  local before = math.max(0, load.held + 1 - load.limit)
  local waits = load.rows * load.row
  if before > 0 then
    -- Of those that are about to run, none is known to end before a whole answer.
    local answered = load.answer * load.full
    waits = waits + (load.place > 0 and load.place or answered) + (before - 1) * answered / load.limit
  end
  local own = lacks * load.row + answer * (load.alone + beside * slower)
  local delays = beside * (lacks * load.row + answer * slower)
  return waits + own + delays, lacks
end

-- Whether the first costs less, or as much on a coordinator that holds fewer jobs, in proportion to what it runs.
local function better(cost, load, others_cost, other)
  return cost < others_cost or (cost == others_cost and load.held / load.limit < other.held / other.limit)
end

-- The coordinator has a job more, or less.
local function begin(load, rows, jobs)
  load.held = load.held + (jobs or 1)
  load.rows = math.max(0, load.rows + rows)
end
`;
