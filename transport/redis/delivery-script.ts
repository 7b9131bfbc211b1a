// The Lua scripts that take deliveries out of one BullMQ queue, or an empty queue away. Redis runs
// each as one step.
//
// Guarantees: what a worker has is left alone as long as BullMQ's lock on it lives. A delivery goes
// with all that BullMQ keeps of it, or not at all, so that the same one can be added again. A look
// costs a few steps, however many wait: lists, which have to be searched, are searched only while
// they are short. Theirs are the deliveries of workers only; those that wait are in sets.
// Does not own: which are not wanted (the ledger).

/**
 * KEYS: BullMQ's prioritized, delayed, wait, active, stalled. ARGV: the prefix of a job's key,
 * the longest list to search, how many of the ids that follow are over; those, then ids of which
 * nothing is known: of them only what no list and no set holds is removed, since no worker would
 * ever get it and BullMQ would not add it again. Returns how many went of the first, the others.
 */
export const REMOVE_DELIVERIES = `
local waiting = { KEYS[1], KEYS[2] }
local lists = { KEYS[3], KEYS[4] }
local overCount = tonumber(ARGV[3])
local isShort = redis.call('LLEN', KEYS[3]) <= tonumber(ARGV[2])
  and redis.call('LLEN', KEYS[4]) <= tonumber(ARGV[2])

local function isTaken(job)
  return redis.call('EXISTS', job .. ':lock') == 1
end

local function removeWaiting(id)
  local count = 0
  for _, key in ipairs(waiting) do
    count = count + redis.call('ZREM', key, id)
  end
  return count > 0
end

local function removeListed(id)
  for _, key in ipairs(lists) do
    redis.call('LREM', key, 0, id)
  end
  redis.call('SREM', KEYS[5], id)
end

local function isAnywhere(id)
  for _, key in ipairs(waiting) do
    if redis.call('ZSCORE', key, id) then return true end
  end
  for _, key in ipairs(lists) do
    if redis.call('LPOS', key, id) then return true end
  end
  return false
end

local removed = { 0, 0 }
for at = 4, #ARGV do
  local id = ARGV[at]
  local job = ARGV[1] .. id
  if at - 3 <= overCount then
    local isGone = removeWaiting(id)
    if not isGone and isShort and redis.call('EXISTS', job) == 1 and not isTaken(job) then
      removeListed(id)
      isGone = true
    end
    if isGone then
      redis.call('DEL', job)
      removed[1] = removed[1] + 1
    end
  elseif isShort and redis.call('EXISTS', job) == 1 and not isTaken(job)
    and not isAnywhere(id) then
    redis.call('DEL', job)
    removed[2] = removed[2] + 1
  end
end
return removed
`;

/**
 * KEYS: what holds deliveries, as above but for stalled, and then whatever else BullMQ keeps of a
 * queue. Returns how many keys went: none as long as there are deliveries.
 */
export const REMOVE_QUEUE = `
for at = 1, 4 do
  if redis.call('EXISTS', KEYS[at]) == 1 then return 0 end
end
return redis.call('DEL', unpack(KEYS, 5))
`;
