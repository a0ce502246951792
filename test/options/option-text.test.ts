// "Did you mean", and the text made from the tables.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { helpText } from '../../src/options/help-text.js'
import { directiveList, flagList, listMarkers, replaceList, unusedList } from '../../src/options/man-page.js'
import { editDistance, nearest } from '../../src/options/nearest.js'
import type { Directive, Flag } from '../../src/options/option.js'
import { pubOptions } from '../../src/options/pub-options.js'

for (const [a, b, distance] of [
  ['', '', 0],
  ['', 'abc', 3],
  ['kitten', 'sitting', 3],
  ['max_qos', 'max_qos', 0],
  ['max_qso', 'max_qos', 1],
  ['listner', 'listener', 1],
  ['xlistener', 'listener', 1],
  ['abc', 'xyz', 3],
] as const)
  test(`distance of '${a}' and '${b}'`, () => {
    assert.equal(editDistance(a, b), distance)
    assert.equal(editDistance(b, a), distance)
  })

for (const [name, known, found] of [
  ['listner', ['log_dest', 'listener'], 'listener'],
  ['LISTENER', ['listener'], 'listener'],
  ['prt', ['port'], 'port'],
  ['xyzzy', ['listener', 'port'], undefined],
  ['-z', ['-a', '-b'], undefined],
  ['-A', ['-b', '-a'], '-a'],
  ['topics', ['topic', 'topic_'], 'topic'],
  ['a', [], undefined],
] as const)
  test(`nearest to ${name} among ${known.join(' ')}`, () => assert.equal(nearest(name, known), found))

const flags = [
  {
    name: 'host',
    flags: ['-h', '--host'],
    kind: 'text',
    args: ['HOST'],
    default: 'localhost',
    help: 'Broker to connect to.',
  },
  { name: 'quiet', flags: ['--quiet'], kind: 'flag', help: 'A sentence that does not fit into the width of the text.' },
  { name: 'never', flags: ['--never'], kind: 'flag', refused: 'no', help: 'Hidden.' },
  {
    name: 'long',
    flags: ['--a-very-long-flag-indeed'],
    kind: 'text',
    args: ['SOMETHING'],
    repeatable: true,
    help: 'Text.',
  },
] as const satisfies readonly Flag[]

test('help is aligned, wrapped, and says nothing of what does not work', () => {
  const text = helpText({ usage: ['x [options]', 'x -y'], about: 'Does x.', table: flags, notes: ['See y.'] }, 50)
  assert.equal(
    text,
    `Usage: x [options]
       x -y

Does x.

  -h, --host HOST  Broker to connect to. Default:
                   localhost.
      --quiet      A sentence that does not fit
                   into the width of the text.
      --a-very-long-flag-indeed SOMETHING
                   Text. May be repeated.

See y.
`,
  )
})

test('the help of a real table is at most 80 columns wide and shows each flag that works', () => {
  const text = helpText({ usage: ['tsmq-pub'], about: 'Publishes.', table: pubOptions })
  for (const line of text.split('\n')) assert.ok(line.length <= 80, line)
  for (const row of pubOptions as readonly Flag[])
    assert.equal(text.includes(`${row.flags.join(', ')} `), !row.refused, row.name)
})

test('the lists of the manual pages', () => {
  assert.equal(
    flagList(flags),
    `.Bl -tag -width Ds
.It Fl h , Fl -host Ar HOST
Broker to connect to.
Default: localhost.
.It Fl -quiet
A sentence that does not fit into the width of the text.
.It Fl -a-very-long-flag-indeed Ar SOMETHING
Text.
May be repeated.
.El
`,
  )
  const directives = [
    {
      name: 'a',
      kind: 'integer',
      scope: 'listener',
      min: 1,
      max: 9,
      default: 2,
      reload: 'no',
      help: '.conf and \\ stay.',
    },
    { name: 'b', kind: 'word', scope: 'global', words: ['x', 'y'], reload: 'yes', differs: 'Because.', help: 'B.' },
  ] as const satisfies readonly Directive[]
  assert.equal(
    directiveList(directives),
    `.Bl -tag -width Ds
.It Cm a Ar integer
\\&.conf and \\e stay.
Range: between 1 and 9.
Default: 2.
Belongs to: listener.
Not changed by a reload.
.It Cm b Ar x|y
B.
Because.
.El
`,
  )
})

test('a list goes between its markers', () => {
  const [one, two] = [listMarkers('one'), listMarkers('two')]
  const page = (text: string) => `${one.begin}\nkept\n${one.end}\n${two.begin}\n${text}${two.end}\nafter\n`
  assert.equal(replaceList(page('old\n'), 'two', 'new\n'), page('new\n'))
  assert.equal(replaceList(page('new\n'), 'two', 'new\n'), page('new\n'))
  assert.throws(() => replaceList(page(''), 'three', 'new\n'), /no markers for its list three/)
})

test('what has no effect or is refused stands apart', () => {
  const rows = [
    { name: 'b', kind: 'word', scope: 'global', reload: 'no', words: ['x', 'y'], help: 'B.' },
    { name: 'd', kind: 'path', scope: 'global', reload: 'no', ignored: 'use e', help: 'D.' },
    { name: 'e', kind: 'path', scope: 'global', reload: 'no', refused: 'it cannot be', aliases: ['f'], help: 'E.' },
  ] as const satisfies readonly Directive[]
  assert.match(directiveList(rows), /^\.Bl .*\n\.It Cm b Ar x\|y\nB\.\nNot changed by a reload\.\n\.El\n$/)
  assert.equal(
    unusedList(rows),
    '.Bl -tag -width Ds\n.It Cm d\nHas no effect: use e.\n.It Cm e\nRefused: it cannot be.\n.El\n',
  )
})
