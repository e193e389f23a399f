/**
 * Writes events to their logs and announces those that were written, as one command: nothing is announced that is not in its
 * log. KEYS: one log per event. ARGV: per gateway its channel and the number of its events, then of each event the entry's
 * id, the event, and seconds that the log lives from now on or "". Returns the numbers (from 1) of the events whose id was
 * not above the log's last.
 */
export const APPEND_SCRIPT = `
local refused, key, at = {}, 0, 1
while at < #ARGV do
  local channel, count, written = ARGV[at], tonumber(ARGV[at + 1]), {}
  at = at + 2
  for _ = 1, count do
    key = key + 1
    local reply = redis.pcall('XADD', KEYS[key], ARGV[at], 'event', ARGV[at + 1])
    if type(reply) == 'table' then
      if not string.find(reply.err, 'equal or smaller', 1, true) then return reply end
      refused[#refused + 1] = key
    else
      written[#written + 1] = ARGV[at + 1]
      if ARGV[at + 2] ~= '' then redis.call('EXPIRE', KEYS[key], ARGV[at + 2]) end
    end
    at = at + 3
  end
  if #written > 0 then redis.call('PUBLISH', channel, '[' .. table.concat(written, ',') .. ']') end
end
return refused
`;
