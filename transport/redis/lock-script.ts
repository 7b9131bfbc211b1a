// The two Lua scripts of the locks: hold and release. Redis runs a script as one step.
//
// Guarantees: hold takes all keys or none, and only over free keys, its own, or those of a lower
// token: the ledger gave the higher token later, so whoever has it is the true holder. Release
// deletes only what holds exactly this token. Tokens are log indexes below 2^53, which Lua's
// doubles compare exactly. In text, not in .lua files, since the compiler copies no assets.

/**
 * KEYS: the locks. ARGV: token, time to live in ms.
 * Returns {} when all are held, else {key, token} of the first that a higher token holds.
 */
export const HOLD_LOCKS = `
local token = tonumber(ARGV[1])
for _, key in ipairs(KEYS) do
  local stored = redis.call('GET', key)
  if stored and (tonumber(stored) or 0) > token then
    return { key, stored }
  end
end
for _, key in ipairs(KEYS) do
  redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
end
return {}
`;

/** KEYS: the locks. ARGV: token. Returns how many were released. */
export const RELEASE_LOCKS = `
local released = 0
for _, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[1] then
    released = released + redis.call('DEL', key)
  end
end
return released
`;
