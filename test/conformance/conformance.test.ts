// Reads the texts of tests and sources and holds them against the tables of rules: each statement of the standard has a test with
// its tag in the name and a line of src that carries it, each row of malformed input and of common mistakes has a test with its
// id, or the table says why not. Only string literals of tests count, so that a comment is no test.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { commonMistakes } from './common-mistakes.js'
import { malformedInputs } from './malformed-inputs.js'
import { open } from './open.js'
import { type Statement, statements, statementsOf311 } from './statements.js'

const allStatements = [...statements, ...statementsOf311]
const rows = [...malformedInputs, ...commonMistakes]

function textsBelow(folder: string, isWanted: (path: string) => boolean): string[] {
  return readdirSync(join(process.cwd(), folder), { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts') && isWanted(path))
    .map((path) => readFileSync(join(process.cwd(), folder, path), 'utf8'))
}

/** The lines that are not comments. */
function code(text: string): string {
  return text.replace(/^\s*(?:\/\/|\/?\*).*$/gm, '').replace(/\s\/\/ .*$/gm, '')
}

/** Tags of statements, without their brackets. */
function tagsIn(text: string): Set<string> {
  return new Set(Array.from(text.matchAll(/\[MQTT-(\d+\.\d+\.\d+-\d+(?: of 3\.1\.1)?)\]/g), ([, id = '']) => id))
}

/** Ids of rows, such as E12 and F7. */
function rowsIn(text: string): Set<string> {
  return new Set(Array.from(text.matchAll(/\b[EF]\d{1,3}\b/g), ([id]) => id))
}

/** Golden and malformed packets get their test names from tables; this folder has no tests but about the tables. */
const tests = textsBelow('test', (path) => /\.test\.ts$|^golden\//.test(path) && !path.startsWith('conformance/'))
  .map(code)
  .join('\n')
const sources = textsBelow('src', () => true).join('\n')
const tested = tagsIn(tests)
const tagged = tagsIn(sources)
const testedRows = rowsIn(tests)

const openTests = open.flatMap((area) => area.tests)
const openTags = open.flatMap((area) => area.tags)

const ids = (list: readonly { readonly id: string }[]) => list.map(({ id }) => id)
const without = (all: readonly string[], some: readonly string[]) => all.filter((id) => !some.includes(id))

const untested = ids(allStatements.filter(({ id, argued }) => argued === undefined && !tested.has(id)))
const untagged = ids(allStatements.filter(({ id, structure }) => structure === undefined && !tagged.has(id)))
const untestedRows = ids(rows.filter(({ id, argued }) => argued === undefined && !testedRows.has(id)))

describe('conformance', () => {
  test('every statement has a test that names it, or an argument', () => {
    assert.deepEqual(without(untested, openTests), [])
  })

  test('every statement is named on a line of src that keeps it, or the table says what keeps it', () => {
    assert.deepEqual(without(untagged, openTags), [])
  })

  test('every row of malformed input and of common mistakes has a test that names it, or an argument', () => {
    assert.deepEqual(without(untestedRows, openTests), [])
  })

  test('nothing is argued away that has what it lacks', () => {
    const needless = (row: Statement) =>
      (row.argued !== undefined && tested.has(row.id)) || (row.structure !== undefined && tagged.has(row.id))
    assert.deepEqual(ids(allStatements.filter(needless)), [])
    assert.deepEqual(ids(rows.filter(({ id, argued }) => argued !== undefined && testedRows.has(id))), [])
  })

  test('what is listed as open is open', () => {
    assert.deepEqual(without(openTests, [...untested, ...untestedRows]), [])
    assert.deepEqual(without(openTags, untagged), [])
  })

  test('tests and sources name no statement and no row that does not exist', () => {
    // Statements of 3.1.1 with a twin in 5.0 have no row of their own.
    const known = new Set(ids(allStatements))
    const unknown = (found: Set<string>) => [...found].filter((id) => !known.has(id) && !id.endsWith('3.1.1'))
    assert.deepEqual([...unknown(tested), ...unknown(tagged)], [])
    assert.deepEqual(without([...testedRows], ids(rows)), [])
  })

  test('the tables are whole: rows count up, no id occurs twice', () => {
    const upTo = (letter: string, last: number) => Array.from({ length: last }, (_, index) => `${letter}${index + 1}`)
    assert.deepEqual(ids(malformedInputs), upTo('E', 207))
    assert.deepEqual(ids(commonMistakes), upTo('F', 162))
    assert.equal(new Set(ids(allStatements)).size, allStatements.length)
  })
})

describe('how texts are read', () => {
  test('a tag in a comment of a test is no test', () => {
    assert.deepEqual(tagsIn(code('// [MQTT-1.1.1-1]\n  /* [MQTT-1.1.1-2] */\nx() // [MQTT-1.1.1-3]\n')), new Set())
  })
  test('a tag in a name is', () => {
    const text = "test('[MQTT-1.1.1-1] [MQTT-1.1.1-2 of 3.1.1] E12 and F3', run) // E5"
    assert.deepEqual(tagsIn(code(text)), new Set(['1.1.1-1', '1.1.1-2 of 3.1.1']))
    assert.deepEqual(rowsIn(code(text)), new Set(['E12', 'F3']))
  })
})
