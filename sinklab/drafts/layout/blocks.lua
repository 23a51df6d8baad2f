-- Layout of a draft: classes of blocks become paragraph styles in Word and functions in typst, columns of
-- tables get widths from what they hold, notes of a table become its last row, pictures must be our own.

local DOCX, TYPST = FORMAT == "docx", FORMAT == "typst"

local SMALL = 14 -- rows of a table that is not broken across pages

local STYLES = {
  ["cover-codes"] = "Cover Codes", ["cover-kind"] = "Cover Kind", ["cover-number"] = "Cover Number",
  ["cover-title"] = "Cover Title", ["cover-title-english"] = "Cover Title English",
  ["cover-stage"] = "Cover Stage", ["cover-note"] = "Cover Note", ["cover-dates"] = "Cover Dates",
  ["cover-issuer"] = "Cover Issuer", doctitle = "Document Title", legend = "Legend", note = "Note",
  statusnote = "Status Note", tablenote = "Table Note",
}

local function style_of(div)
  for _, class in ipairs(div.classes) do
    if STYLES[class] then return class, STYLES[class] end
  end
end

local function tabs(inlines)
  -- A line "left [tab]{.tab} right" of the cover.
  return inlines:walk({
    Span = function(span)
      if not span.classes:includes("tab") then return nil end
      if DOCX then return pandoc.RawInline("openxml", "<w:r><w:tab/></w:r>") end
      if TYPST then return pandoc.RawInline("typst", "#h(1fr)") end
      return pandoc.Span({}, { class = "tab" })
    end,
  })
end

local function Div(div)
  local class, style = style_of(div)
  if not class then return nil end
  div = div:walk({ Para = function(p) return pandoc.Para(tabs(p.content)) end })
  if DOCX then
    div.attributes["custom-style"] = style
    return div
  end
  if TYPST then
    local blocks = pandoc.List({ pandoc.RawBlock("typst", "#" .. class .. "[") })
    blocks:extend(div.content)
    blocks:insert(pandoc.RawBlock("typst", "]"))
    return blocks
  end
end

-- Items of a list in Word: dashes are text, numbers are left to Word.
local function item_blocks(item)
  return pandoc.List(item):map(function(block)
    return block.t == "Plain" and pandoc.Para(block.content) or block
  end)
end

local function BulletList(list)
  if not DOCX then return nil end
  local out = pandoc.List({})
  for _, item in ipairs(list.content) do
    local blocks = item_blocks(item)
    if blocks[1] and blocks[1].t == "Para" then blocks[1].content:insert(1, pandoc.Str("——")) end
    out:insert(pandoc.Div(blocks, { ["custom-style"] = "List Dash" }))
  end
  return out
end

local function OrderedList(list)
  if not DOCX then return nil end
  list.content = pandoc.List(list.content):map(function(item)
    return { pandoc.Div(item_blocks(item), { ["custom-style"] = "List Letter" }) }
  end)
  return list
end

-- Columns ----------------------------------------------------------------------------------------

local function math_width(latex)
  -- \mathrm{S} is one letter wide, indices are small.
  local text = latex:gsub("\\math%a+", ""):gsub("\\[,;: ]", ""):gsub("\\%a+", "x"):gsub("[{}^_]", "")
  return #text * 0.9
end

local function width(blocks)
  local total = 0
  blocks:walk({
    Str = function(s)
      for _, code in utf8.codes(s.text) do
        total = total + ((code >= 0x2E80 and code ~= 0xFF5E) and 2 or 1)
      end
    end,
    Space = function() total = total + 0.5 end,
    Math = function(m) total = total + math_width(m.text) end,
  })
  return total
end

local function shares(tbl)
  local widest = {}
  local function measure(rows)
    for _, row in ipairs(rows) do
      local at = 1
      for _, cell in ipairs(row.cells) do
        if cell.col_span == 1 then widest[at] = math.max(widest[at] or 0, width(cell.contents)) end
        at = at + cell.col_span
      end
    end
  end
  measure(tbl.head.rows)
  for _, body in ipairs(tbl.bodies) do measure(body.body) end
  local sum = 0
  for i = 1, #tbl.colspecs do
    widest[i] = math.min(math.max(widest[i] or 0, 4), 40) + 2
    sum = sum + widest[i]
  end
  for i, spec in ipairs(tbl.colspecs) do tbl.colspecs[i] = { spec[1], widest[i] / sum } end
  return tbl
end

local function with_notes(tbl, div)
  local content = DOCX and { pandoc.Div(div.content, { ["custom-style"] = "Table Note" }) } or div.content
  local cell = pandoc.Cell(content, "AlignLeft", 1, #tbl.colspecs, pandoc.Attr("", { "tablenote" }))
  -- A foot would be repeated on every page.
  local body = tbl.bodies[#tbl.bodies]
  body.body:insert(pandoc.Row({ cell }))
  return tbl
end

local function Blocks(blocks)
  local out = pandoc.List({})
  for _, block in ipairs(blocks) do
    local last = out[#out]
    if block.t == "Div" and block.classes:includes("tablenote") and last and last.t == "Table" then
      out[#out] = with_notes(last, block)
    else
      out:insert(block)
    end
  end
  return out
end

local function Table(tbl)
  tbl = shares(tbl)
  local count = 0
  for _, body in ipairs(tbl.bodies) do count = count + #body.body end
  if not TYPST or count > SMALL then return tbl end
  return { pandoc.RawBlock("typst", "#whole["), tbl, pandoc.RawBlock("typst", "]") }
end

local function Image(image)
  if not image.src:match("^[%w_%-]+%.png$") then
    io.stderr:write("draft-problem\tpicture\t" .. image.src .. "\n")
    error("the draft has problems")
  end
end

return { { Image = Image }, { Blocks = Blocks }, { Table = Table }, { Div = Div, BulletList = BulletList, OrderedList = OrderedList } }
