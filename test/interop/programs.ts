// The programs of others that the tests in this folder talk to, and what becomes of a suite where one is missing: with CI set its
// tests run and fail, otherwise they are skipped and the name says why.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/sbin', '/opt/homebrew/bin']

/** The path of a program, or its name where it is not installed, so that starting it fails with that name. */
export function pathOf(name: string): string {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...FOLDERS]
  return folders.map((folder) => join(folder, name)).find((file) => existsSync(file)) ?? name
}

/** A Python that has paho-mqtt; the system's comes first, because that is where packages of the system go. */
export const python =
  ['/usr/bin/python3', pathOf('python3')].find(
    (file) => spawnSync(file, ['-c', 'import paho.mqtt.client']).status === 0,
  ) ?? 'python3 with paho-mqtt'

function isMissing(program: string): boolean {
  return !(program.startsWith('/') ? existsSync(program) : existsSync(pathOf(program)))
}

/** Name and options of a suite that needs programs, for `describe(...suite(name, programs), …)`. */
export function suite(name: string, programs: readonly string[]): [name: string, options: { readonly skip: boolean }] {
  const missing = programs.filter(isMissing)
  if (missing.length === 0 || process.env.CI) return [name, { skip: false }]
  return [`${name} (skipped: no ${missing.join(', no ')})`, { skip: true }]
}
