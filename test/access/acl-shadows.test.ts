// Rules of an ACL that can never decide: by examples, and against the evaluator itself over every topic of a small world.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Acl } from '../../src/access/acl.js'
import { parseAclFile } from '../../src/access/acl-file.js'
import { shadowedRules } from '../../src/access/acl-shadows.js'

function rulesOf(text: string) {
  const { rules, problems } = parseAclFile(Buffer.from(text))
  assert.deepEqual(problems, [])
  return rules
}

/** `shadowed` are the lines that never decide. */
const cases: readonly { name: string; acl: string; shadowed: readonly number[] }[] = [
  { name: 'different topics', acl: 'topic read a\ntopic read b\n', shadowed: [] },
  { name: 'the same line twice: the second', acl: 'topic read a\ntopic read a\n', shadowed: [2] },
  {
    name: 'the same deny twice: the first, the last is asked first',
    acl: 'topic deny a\ntopic deny a\n',
    shadowed: [1],
  },
  { name: 'a wider rule above', acl: 'topic read a/#\ntopic read a/b\n', shadowed: [2] },
  { name: 'a wider rule below', acl: 'topic read a/b\ntopic read a/#\n', shadowed: [] },
  { name: 'a deny below is asked first', acl: 'topic read a/b\ntopic deny a/#\n', shadowed: [1] },
  { name: 'a deny above that is narrower', acl: 'topic deny a/b\ntopic read a/#\n', shadowed: [] },
  { name: 'another right', acl: 'topic read a/#\ntopic write a/b\n', shadowed: [] },
  { name: 'one of two rights', acl: 'topic read a/#\ntopic readwrite a/b\n', shadowed: [] },
  { name: 'each right by another rule', acl: 'topic read a/#\ntopic write +/b\ntopic a/b\n', shadowed: [3] },
  { name: 'readwrite covers both', acl: 'topic a/#\ntopic write a/b\ntopic read a/c\n', shadowed: [2, 3] },
  { name: '# covers the parent', acl: 'topic read a/#\ntopic read a\n', shadowed: [2] },
  {
    name: '+ covers one level',
    acl: 'topic read a/+\ntopic read a/b\ntopic read a/b/c\ntopic read a/#\n',
    shadowed: [2],
  },
  { name: '+/# covers #', acl: 'topic read +/#\ntopic read #\n', shadowed: [2] },
  { name: '+/+/# does not cover #', acl: 'topic read +/+/#\ntopic read #\n', shadowed: [] },
  { name: 'a word does not cover +', acl: 'topic read a/b\ntopic read a/+\n', shadowed: [] },
  { name: '# does not cover $SYS', acl: 'topic read #\ntopic read $SYS/#\n', shadowed: [] },
  { name: '$SYS/# covers $SYS/broker/+', acl: 'topic read $SYS/#\ntopic read $SYS/broker/+\n', shadowed: [2] },
  { name: 'another user', acl: 'user a\ntopic read x/#\nuser b\ntopic read x/y\n', shadowed: [] },
  { name: 'a user opened again', acl: 'user a\ntopic x/#\nuser b\ntopic q\nuser a\ntopic x/y\n', shadowed: [6] },
  { name: 'anonymous clients are no user', acl: 'topic x/#\nuser a\ntopic x/y\n', shadowed: [] },
  { name: 'patterns are a scope of their own', acl: 'topic x/#\npattern x/%u\n', shadowed: [] },
  { name: '+ covers %u and %c', acl: 'pattern read x/+\npattern read x/%u\npattern read x/%c\n', shadowed: [2, 3] },
  { name: '%u covers itself', acl: 'pattern x/%u/#\npattern read x/%u/a\n', shadowed: [2] },
  { name: '%u does not cover %c', acl: 'pattern x/%u\npattern x/%c\n', shadowed: [] },
  { name: '%u does not cover +', acl: 'pattern x/%u\npattern x/+\n', shadowed: [] },
  { name: 'levels that are empty', acl: 'topic /\ntopic +/+\ntopic /\n', shadowed: [3] },
]

for (const { name, acl, shadowed } of cases)
  test(name, () => {
    const lines = shadowedRules(rulesOf(acl)).map(({ line }) => line)
    assert.deepEqual(lines, shadowed)
  })

test('the message names the rule, what decides instead, and why a later line can', () => {
  const [found] = shadowedRules(rulesOf('user a\ntopic read a/b\ntopic deny a/#\n'))
  assert.equal(
    found?.message,
    'this rule (topic read a/b) never decides: line 3 (topic deny a/#) does, because denies are asked first, the last of them before the others',
  )
})

describe('a rule that is reported decides no topic of a small world', () => {
  const words = ['a', 'b', '+', '%u', '%c']
  const filters = [
    '#',
    ...words,
    ...words.map((word) => `${word}/#`),
    ...words.flatMap((first) => words.map((second) => `${first}/${second}`)),
    '$SYS/#',
    '$SYS/a',
  ]
  const topics = ['a', 'b', 'u', 'c'].flatMap((one) => [
    one,
    ...['a', 'b', 'u', 'c'].flatMap((two) => [`${one}/${two}`, `${one}/${two}/a`]),
  ])
  topics.push('$SYS/a', '$SYS/b')
  const accesses = ['read', 'write', 'readwrite', 'deny']

  for (const keyword of ['topic', 'pattern'])
    test(`two ${keyword} lines, all ${(filters.length * accesses.length) ** 2} pairs`, () => {
      let reported = 0
      for (const [one, other] of pairs(filters))
        for (const [first, second] of pairs(accesses)) {
          const rules = rulesOf(`${keyword} ${first} ${one}\n${keyword} ${second} ${other}\n`)
          const shadowed = shadowedRules(rules)
          if (shadowed.length === 0) continue
          reported++
          const acl = new Acl(rules)
          for (const username of [undefined, 'u', 'a'])
            for (const topic of topics)
              for (const verb of ['read', 'write'] as const) {
                const { rule } = acl.rightsFor(keyword === 'topic' ? undefined : username, 'c').decide(verb, topic)
                assert.ok(!shadowed.some(({ line }) => line === rule?.line), `${one} ${other} ${topic}`)
              }
        }
      assert.ok(reported > 500, `${reported}`)
    })
})

function pairs<T>(all: readonly T[]): [T, T][] {
  return all.flatMap((one) => all.map((other): [T, T] => [one, other]))
}
