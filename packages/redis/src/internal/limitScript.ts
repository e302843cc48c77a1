/**
 * Every decision about limits on Redis: one script, so that nothing comes between the questions of a batch, over keys that
 * share one hash tag, so that a cluster runs it on one node, by the clock of Redis, so that callers' clocks do not matter.
 *
 * The rules are those of the memory store, word for word; a property test holds the two against each other.
 */
import * as Script from "./script.ts"

/** Bumped when what is stored changes; it is part of every key. */
export const version = "2"

export const limitScript: Script.Script = Script.make(`
local asked = cjson.decode(ARGV[1])
local now = asked.now
if now == 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- KEYS[1] says since when this server remembers. When it is gone, or younger than what a caller has seen, memory was lost.
local epoch, lostAt = 0, 0
local marker = redis.call('GET', KEYS[1])
if marker then epoch, lostAt = cmsgpack.unpack(marker) end
if not marker or (asked.epoch > 0 and asked.epoch < epoch and lostAt == 0) then
  if asked.epoch > 0 then lostAt = marker and epoch or now end
  if not marker then epoch = now end
  redis.call('SET', KEYS[1], cmsgpack.pack(epoch, lostAt))
end
local closed = asked.closed and lostAt > 0

-- The buckets touched by this batch: read once, written once.
local loaded, dirty = {}, {}
local function rate(key, capacity)
  local state = loaded[key]
  if not state then
    local packed = redis.call('GET', KEYS[key])
    if packed then
      local empty, refunded, generation = cmsgpack.unpack(packed)
      state = { empty, refunded, generation }
    else
      state = { 0, 0, 0 }
      if closed and lostAt + capacity > now then state = { lostAt + capacity, 0, lostAt } end
    end
    loaded[key] = state
  end
  if state[1] <= now then
    state[1], state[2], state[3] = now, 0, math.floor(now / 1000) % 10000000000
  end
  return state
end
local function period(key, capacity, at)
  local ms = now / 1000
  local first, last = at[3], at[4]
  if ms < at[2] then first, last = at[1], at[2] elseif ms < at[3] then first, last = at[2], at[3] end
  local state = loaded[key]
  if not state then
    local packed = redis.call('GET', KEYS[key])
    if packed then
      state = { cmsgpack.unpack(packed) }
    else
      state = { first, 0, last }
      if closed and lostAt >= first * 1000 then state[2] = capacity end
    end
    loaded[key] = state
  end
  -- A charge that knows only of periods long past, such as a late settlement, counts in the present one.
  if state[1] < first then state[1], state[2], state[3] = first, 0, last end
  return state
end
local function held(key)
  local state = loaded[key]
  if not state then
    redis.call('ZREMRANGEBYSCORE', KEYS[key], '-inf', now)
    state = { redis.call('ZCARD', KEYS[key]) }
    loaded[key] = state
  end
  return state
end
local function paused(key)
  local state = loaded[key]
  if not state then
    local packed = redis.call('GET', KEYS[key])
    state = { packed and cmsgpack.unpack(packed) or 0 }
    loaded[key] = state
  end
  return state
end

local function reserve(op)
  local maxWait, id, charges = op[2], op[3], op[4]
  local answer = {}
  local wait, refused, longest = 0, 0, -1
  for index = 1, #charges do
    local charge = charges[index]
    local key, kind = charge[1], charge[2]
    local late, canWait = 0, true
    if kind == 0 then
      local state = rate(key, charge[5])
      local cost, ceiling = charge[3], charge[4]
      local level = state[1] - now
      answer[index] = { level, level + cost + state[2], state[3] }
      if cost > ceiling then late = math.huge elseif cost > 0 then late = level + cost - ceiling end
    elseif kind == 1 then
      local state = period(key, charge[5], charge[6])
      answer[index] = { state[2], state[1] }
      canWait = false
      if charge[3] > charge[4] then late = math.huge
      elseif state[2] + charge[3] > charge[4] then late = state[3] * 1000 - now end
    elseif kind == 2 then
      local state = held(key)
      answer[index] = { state[1] }
      canWait = false
      local full = state[1] + 1 > charge[3] or (closed and now < lostAt + asked.lease)
      if full and refused == 0 then refused, longest = index, 0 end
    else
      late = math.max(0, paused(key)[1] - now)
      answer[index] = { late }
    end
    if late > 0 then
      if canWait and late <= maxWait then wait = math.max(wait, late)
      elseif late > longest then refused, longest = index, late end
    end
  end
  if refused > 0 then
    if longest == math.huge then longest = -1 end
    return { 0, refused - 1, longest, answer }
  end
  for index = 1, #charges do
    local charge = charges[index]
    local key, kind = charge[1], charge[2]
    if kind == 0 then
      local state = loaded[key]
      state[1] = state[1] + charge[3]
      answer[index][1] = answer[index][1] + charge[3]
      dirty[key] = 0
    elseif kind == 1 then
      local state = loaded[key]
      state[2] = state[2] + charge[3]
      answer[index][1] = state[2]
      dirty[key] = 1
    elseif kind == 2 then
      local state = loaded[key]
      redis.call('ZADD', KEYS[key], now + asked.lease, id)
      state[1] = state[1] + 1
      answer[index][1] = state[1]
      dirty[key] = 2
    end
  end
  return { 1, wait, 0, answer }
end

local function settle(op)
  local id, charges = op[2], op[3]
  for index = 1, #charges do
    local charge = charges[index]
    local key, kind, more = charge[1], charge[2], charge[3]
    if kind == 0 then
      local state = rate(key, charge[4])
      if more > 0 then
        state[1] = state[1] + more
        dirty[key] = 0
      elseif more < 0 and state[3] == charge[6] then
        local back = math.min(-more, math.max(0, charge[5] - state[2] - now))
        state[1] = state[1] - back
        state[2] = state[2] + back
        dirty[key] = 0
      end
    elseif kind == 1 then
      local state = period(key, charge[4], charge[6])
      if more > 0 or state[1] == charge[5] then
        state[2] = math.max(0, state[2] + more)
        dirty[key] = 1
      end
    elseif kind == 2 and redis.call('ZREM', KEYS[key], id) == 1 then
      local state = loaded[key]
      if state then state[1] = state[1] - 1 end
    end
  end
  return 1
end

local function observe(op)
  for index = 1, #op[2] do
    local key, kind, length = op[2][index][1], op[2][index][2], op[2][index][3]
    if kind == 3 then
      local state = paused(key)
      state[1] = math.max(state[1], now + length)
      dirty[key] = 3
    else
      local state = rate(key, 0)
      state[1] = math.max(state[1], now + length)
      dirty[key] = 0
    end
  end
  return 1
end

local function extend(op)
  for index = 3, #op do redis.call('ZADD', KEYS[op[2]], now + asked.lease, op[index]) end
  loaded[op[2]] = nil
  dirty[op[2]] = 2
  return 1
end

local answers = {}
for index = 1, #asked.ops do
  local op = asked.ops[index]
  if op[1] == 0 then answers[index] = reserve(op)
  elseif op[1] == 1 then answers[index] = settle(op)
  elseif op[1] == 2 then answers[index] = observe(op)
  else answers[index] = extend(op) end
end

for key, kind in pairs(dirty) do
  local state = loaded[key]
  if kind == 0 then
    redis.call('SET', KEYS[key], cmsgpack.pack(state[1], state[2], state[3]), 'PX', math.max(1, math.ceil((state[1] - now) / 1000)) + 1000)
  elseif kind == 1 then
    redis.call('SET', KEYS[key], cmsgpack.pack(state[1], state[2], state[3]), 'PX', math.max(1, math.ceil(state[3] - now / 1000)) + 1000)
  elseif kind == 2 then
    redis.call('PEXPIRE', KEYS[key], math.ceil(asked.lease / 1000) + 1000)
  else
    redis.call('SET', KEYS[key], cmsgpack.pack(state[1]), 'PX', math.max(1, math.ceil((state[1] - now) / 1000)) + 1000)
  end
end
return cjson.encode({ string.format('%.0f', epoch), string.format('%.0f', now), answers })
`)
