// The evaluator against a second, naive reading of files.md section 2.2 that shares no code with it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Acl } from '../../src/access/acl.js'
import { parseAclFile } from '../../src/access/acl-file.js'

interface Line {
  keyword: 'user' | 'topic' | 'pattern'
  access: 'read' | 'write' | 'readwrite' | 'deny'
  words: string
}

/** Level by level, from the left, as a person would. */
function fits(
  filter: string,
  topic: string,
  username: string | undefined,
  clientId: string,
  pattern: boolean,
): boolean {
  if (filter.startsWith('$') !== topic.startsWith('$')) return false
  const want = filter.split('/')
  const have = topic.split('/')
  while (want.length > 0) {
    const level = want.shift()
    if (level === '#') return true
    if (have.length === 0) return false
    const actual = have.shift()
    if (pattern && (level === '%u' || level === '%c')) {
      const value = level === '%u' ? username : clientId
      if (!value || value !== actual) return false
    } else if (level !== '+' && level !== actual) return false
  }
  return have.length === 0
}

function naive(lines: Line[], username: string | undefined, clientId: string, verb: 'read' | 'write', topic: string) {
  if (clientId === '' || topic.startsWith('$share')) return false
  if (verb === 'write' && /^\$SYS/.test(topic) && !/^\$SYS\/broker\/connection\/[^/]*\/state$/.test(topic)) return false
  let current: string | undefined
  const own: Line[] = []
  const patterns: Line[] = []
  for (const line of lines) {
    if (line.keyword === 'user') current = line.words
    else if (line.keyword === 'pattern') patterns.push(line)
    else if (current === username) own.push(line)
  }
  for (const [list, isPattern] of [
    [own, false],
    [patterns, true],
  ] as const) {
    if (isPattern && /[+#]/.test(`${username ?? ''}${clientId}`)) return false
    const hits = list.filter(({ words }) => fits(words, topic, username, clientId, isPattern))
    if (hits.some(({ access }) => access === 'deny')) return false
    if (hits.some(({ access }) => access === verb || access === 'readwrite')) return true
  }
  return false
}

const name = fc.constantFrom('a', 'b', '+', '#', 'a/b', '$SYS', '%c', '__proto__')
const level = fc.constantFrom('a', 'b', '+', '%u', '%c', '', '$SYS', 'broker', 'connection', 'state', '__proto__')
const filter = fc
  .tuple(fc.array(level, { minLength: 1, maxLength: 5 }), fc.boolean())
  .map(([levels, open]) => (open ? [...levels, '#'] : levels).join('/'))
  .filter((text) => text !== '')
const topic = fc
  .array(fc.constantFrom('a', 'b', '', '%u', '$SYS', '$share', 'broker', 'connection', 'state', '__proto__'), {
    minLength: 1,
    maxLength: 5,
  })
  .map((levels) => levels.join('/'))
  .filter((text) => text !== '')
const line: fc.Arbitrary<Line> = fc.record({
  keyword: fc.constantFrom('user', 'topic', 'topic', 'pattern', 'pattern'),
  access: fc.constantFrom('read', 'write', 'readwrite', 'deny'),
  words: filter,
})
const lines = fc.array(
  fc.tuple(line, name).map(([rule, user]) => (rule.keyword === 'user' ? { ...rule, words: user } : rule)),
  { maxLength: 12 },
)

test('any file, client and topic', () => {
  let allowedSeen = 0
  fc.assert(
    fc.property(lines, fc.option(name, { nil: undefined }), name, topic, (file, username, clientId, to) => {
      const text = file.map(({ keyword, access, words }) =>
        keyword === 'user' ? `user ${words}` : `${keyword} ${access} ${words}`,
      )
      const { rules, problems } = parseAclFile(Buffer.from(text.join('\n')))
      assert.deepEqual(problems, [])
      const rights = new Acl(rules).rightsFor(username, clientId)
      for (const verb of ['read', 'write'] as const) {
        const expected = naive(file, username, clientId, verb, to)
        if (expected) allowedSeen++
        assert.equal(rights.decide(verb, to).allowed, expected)
        assert.equal(verb === 'read' ? rights.mayRead(to) : rights.mayWrite(to), expected)
      }
    }),
    { numRuns: 20_000 },
  )
  assert.ok(allowedSeen > 200, `only ${allowedSeen} requests were allowed: the cases are too narrow`)
})
