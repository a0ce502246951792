// Writes the lists that are made from the tables into the manual pages, in place. `npm run man` runs it after a build; the text
// around the lists is written by hand.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { manLists, withLists } from '../build/test/support/man-lists.js'

for (const name of Object.keys(manLists)) {
  const file = fileURLToPath(new URL(`../man/${name}`, import.meta.url))
  const page = readFileSync(file, 'utf8')
  const made = withLists(name, page)
  if (made !== page) {
    writeFileSync(file, made)
    console.log(`man/${name} is written anew`)
  }
}
