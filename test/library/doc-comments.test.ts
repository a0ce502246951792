// Whoever programs against the library has the comments that an editor shows: everything it exports has one, and no type is any.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const source = (path: string) => readFileSync(join(process.cwd(), 'src', path), 'utf8')

/** File → names that `index.ts` exports of it; undefined for all that it exports. */
function exports(index: string): readonly (readonly [file: string, names: readonly string[] | undefined])[] {
  const form = /export (?:type )?(?:\*|\{(?<names>[^}]*)\}) from '\.\/(?<file>[^']+)\.js'/g
  return [...index.matchAll(form)].map(({ groups: { names, file } = {} }) => [
    `${file}.ts`,
    names?.split(',').flatMap((name) => name.trim().replace(/^type /, '') || []),
  ])
}

/** The declarations of a file that are exported, and those of them with a comment. */
function declared(text: string) {
  const form = /(\*\/\n)?export (?:abstract )?(?:class|interface|type|function|const|async function) (\w+)/g
  return [...text.matchAll(form)].map(([, comment, name]) => ({ name: name ?? '', hasComment: comment !== undefined }))
}

for (const [file, names] of exports(source('index.ts')))
  test(`everything that is exported of ${file} has a doc comment`, () => {
    const all = declared(source(file)).filter(({ name }) => names?.includes(name) ?? true)
    for (const name of names ?? [])
      assert.ok(
        all.some((each) => each.name === name),
        `${name} is not found`,
      )
    assert.deepEqual(
      all.flatMap(({ name, hasComment }) => (hasComment ? [] : name)),
      [],
    )
    assert.doesNotMatch(source(file), /[:<] ?any\b(?! \w)/)
  })
