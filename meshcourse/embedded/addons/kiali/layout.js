// A layered layout in two storeys: boxes (or lone nodes) stand in columns, callers left of callees, and inside each box its
// members do the same. So boxes never overlap.
// In: nodes [{id, group, name}], edges [{source, target}]. Out: {place: Map id → {x, y}, width, height}.

// Items [{id, name}] in columns with few crossings. `alone` are those without any edge.
function columnsOf(items, edges) {
  const ids = new Set(items.map(n => n.id)), next = new Map(items.map(n => [n.id, []])), before = new Map(items.map(n => [n.id, []]))
  const known = edges.filter(e => e.source !== e.target && ids.has(e.source) && ids.has(e.target)), state = new Map()
  const outgoing = new Map(items.map(n => [n.id, known.filter(e => e.source === n.id)]))
  const visit = id => { // edges that close a cycle do not count
    state.set(id, 1)
    for (const e of outgoing.get(id)) {
      if (state.get(e.target) === 1) continue
      next.get(id).push(e.target); before.get(e.target).push(id)
      if (!state.has(e.target)) visit(e.target)
    }
    state.set(id, 2)
  }
  const called = new Set(known.map(e => e.target))
  for (const n of [...items.filter(n => !called.has(n.id)), ...items]) if (!state.has(n.id)) visit(n.id)
  const layer = new Map(), depth = id => { if (!layer.has(id)) layer.set(id, Math.max(-1, ...before.get(id).map(depth)) + 1); return layer.get(id) }
  const alone = items.filter(n => !next.get(n.id).length && !before.get(n.id).length), columns = []
  items.filter(n => !alone.includes(n)).forEach(n => (columns[depth(n.id)] ??= []).push(n))
  for (let i = 0; i < columns.length; i++) columns[i] ??= []
  const rank = new Map(), number = c => c.forEach((n, i) => rank.set(n.id, i - (c.length - 1) / 2))
  const mean = list => list.length ? list.reduce((a, b) => a + b, 0) / list.length : null
  const sort = (column, neighbours) => {
    const at = new Map(column.map(n => [n.id, mean(neighbours.get(n.id).map(id => rank.get(id))) ?? rank.get(n.id)]))
    column.sort((a, b) => at.get(a.id) - at.get(b.id) || a.name.localeCompare(b.name)); number(column)
  }
  columns.forEach(c => { c.sort((a, b) => a.name.localeCompare(b.name)); number(c) })
  for (let sweep = 0; sweep < 6; sweep++) { columns.forEach(c => sort(c, before)); [...columns].reverse().forEach(c => sort(c, next)) }
  columns.forEach(c => sort(c, before))
  return {columns, alone}
}

function layered(nodes, edges, {gapX = 158, gapY = 80, space = 34, margin = 66} = {}) {
  const groups = new Map(), groupOf = new Map()
  for (const n of nodes) {
    const id = n.group || n.id; groupOf.set(n.id, id)
    if (!groups.has(id)) groups.set(id, {id, name: n.name, members: []})
    groups.get(id).members.push(n)
  }
  for (const g of groups.values()) {
    const {columns, alone} = columnsOf(g.members, edges)
    g.columns = columns.length ? [...columns] : [[]]; g.columns[0] = [...g.columns[0], ...alone]
    g.rows = Math.max(...g.columns.map(c => c.length)); g.boxed = g.members.some(n => n.group)
  }
  const outer = columnsOf([...groups.values()], edges.map(e => ({source: groupOf.get(e.source), target: groupOf.get(e.target)})))
  const tall = g => g.rows * gapY + (g.boxed ? space : 0), place = new Map(); let x = margin, width = 0
  const highest = Math.max(0, ...outer.columns.map(c => c.reduce((sum, g) => sum + tall(g), 0)))
  const put = (g, left, top) => g.columns.forEach((column, i) => column.forEach((n, j) => place.set(n.id, {x: left + i * gapX, y: top + (tall(g) - (g.boxed ? space / 2 : 0)) / 2 + (j - (column.length - 1) / 2) * gapY})))
  for (const column of outer.columns) {
    let y = margin - 30 + (highest - column.reduce((sum, g) => sum + tall(g), 0)) / 2
    for (const g of column) { put(g, x, y); y += tall(g) }
    x += Math.max(...column.map(g => g.columns.length), 1) * gapX; width = x
  }
  // Who has nothing to do with anybody else stands in rows below.
  let left = margin, top = margin - 30 + highest + (highest ? 24 : 0), row = 0; const wide = Math.max(width, gapX * 6)
  for (const g of outer.alone) {
    const needed = g.columns.length * gapX
    if (left > margin && left + needed > wide) { left = margin; top += row; row = 0 }
    put(g, left, top); row = Math.max(row, tall(g)); left += needed; width = Math.max(width, left)
  }
  return {place, width: width - gapX + 2 * margin - margin, height: top + row + 40}
}
