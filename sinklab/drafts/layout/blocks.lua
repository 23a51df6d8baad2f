-- Layout of a draft: classes of blocks become paragraph styles in Word and functions in typst, columns of
-- tables get widths from what they hold, notes of a table become its last row, pictures must be our own.

local DOCX, TYPST = FORMAT == "docx", FORMAT == "typst"

local ZH, DASH = true, "——" -- the language, and what stands before the items of a list
local SMALL = 14 -- lines of a table that is not broken across pages
local SHORT = 6 -- items of a list that is not broken across pages

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
    -- The last line of a legend does not stand on a page alone.
    if class == "legend" and blocks[#blocks].t == "Para" and blocks[#blocks - 1].t == "Para" then
      blocks:insert(#blocks, pandoc.RawBlock("typst", "]"))
      blocks:insert(#blocks - 2, pandoc.RawBlock("typst", "#stays["))
    end
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
  if TYPST and #list.content <= SHORT then
    return { pandoc.RawBlock("typst", "#together["), list, pandoc.RawBlock("typst", "]") }
  end
  if not DOCX then return nil end
  local out = pandoc.List({})
  for _, item in ipairs(list.content) do
    local blocks = item_blocks(item)
    if blocks[1] and blocks[1].t == "Para" then blocks[1].content:insert(1, pandoc.Str(DASH)) end
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

-- Half-width letters of a line of a table, and of the sides of a cell.
local PAGE, SIDES = 90, 3

local function wide(code) return code >= 0x2E80 end

local function letters_of(text)
  local total = 0
  for _, code in utf8.codes(text) do total = total + (wide(code) and 2 or 1) end
  return total
end

-- Width of what a cell holds, and of the longest piece of it that no line may break: a number, a word, a formula.
local function width(blocks)
  local total, longest, run = 0, 0, 0
  local function add(letters, breaks)
    total = total + letters
    run = breaks and 0 or run + letters
    longest = math.max(longest, run)
  end
  blocks:walk({
    traverse = "topdown",
    Str = function(s)
      for _, code in utf8.codes(s.text) do
        -- The ends of a range stay together.
        add(wide(code) and 2 or 1, wide(code) and code ~= 0xFF5E)
      end
    end,
    Space = function() add(0.5, true) end,
    SoftBreak = function() add(0.5, true) end,
    Math = function(m) add(math_width(m.text)) end,
    -- Citations: a field of Word, a link elsewhere.
    RawInline = function(r)
      for text in r.text:gmatch("<w:t[^>]*>([^<]*)") do add(letters_of(text)) end
    end,
    Link = function(l)
      add(letters_of(pandoc.utils.stringify(l)))
      return l, false
    end,
  })
  return total, longest
end

local function shares(tbl)
  local widest, least = {}, {}
  local function measure(rows)
    for _, row in ipairs(rows) do
      local at = 1
      for _, cell in ipairs(row.cells) do
        if cell.col_span == 1 then
          local total, longest = width(cell.contents)
          widest[at], least[at] = math.max(widest[at] or 0, total), math.max(least[at] or 0, longest)
        end
        at = at + cell.col_span
      end
    end
  end
  measure(tbl.head.rows)
  for _, body in ipairs(tbl.bodies) do measure(body.body) end
  local sum, floor = 0, 0
  for i = 1, #tbl.colspecs do
    widest[i] = math.min(math.max(widest[i] or 0, 4), 40) + SIDES
    least[i] = math.min(math.max(least[i] or 0, 4) + SIDES, widest[i])
    sum, floor = sum + widest[i], floor + least[i]
  end
  -- Where all cannot stand on one line, what no line may break has its room first.
  if sum > PAGE and floor < PAGE then
    local spare = (PAGE - floor) / (sum - floor)
    for i = 1, #tbl.colspecs do widest[i] = least[i] + (widest[i] - least[i]) * spare end
    sum = PAGE
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

-- A lead stays with its formula or list, "where" with what it opens; in Word the program sees to that.
local function opens(block, following)
  if not TYPST or block.t ~= "Para" or not following then return false end
  if following.t == "BulletList" then return true end
  if following.t ~= "Para" then return false end
  local text = pandoc.utils.stringify(block)
  if text == "where" or text == "where:" or text == "式中：" then return true end
  local first, own = following.content[1], block.content[1]
  local function numbered(inline)
    return inline and inline.t == "RawInline" and inline.text:match("^#numbered%[") ~= nil
  end
  return numbered(first) and not numbered(own)
end

local function Blocks(blocks)
  local out = pandoc.List({})
  for i, block in ipairs(blocks) do
    local last = out[#out]
    local leads = opens(block, blocks[i + 1])
    -- No Div around the three: it would print a block that stays nowhere.
    if leads then out:insert(pandoc.RawBlock("typst", "#stays[")) end
    if block.t == "Div" and block.classes:includes("tablenote") and last and last.t == "Table" then
      out[#out] = with_notes(last, block)
    else
      out:insert(block)
    end
    if leads then out:insert(pandoc.RawBlock("typst", "]")) end
  end
  return out
end

-- A column without width at the right of a large table holds its first two rows together, and its last three:
-- the program sets rows that a cell spans on one page.
local ENDS = { first = 2, last = 3 }

-- Where such a table goes on, its head says so above it: a row without height, which prints on later pages alone.
local function continued(tbl)
  local number = pandoc.utils.stringify(tbl.caption.long):match(ZH and "^表[%w%.]+" or "^Table [%w%.]+")
  if not number then return end
  local said = number .. (ZH and "（续）" or " (continued)")
  tbl.caption.long[1].content:insert(pandoc.RawInline("typst", "#metadata(none)<table-begins>"))
  local look = pandoc.Attr("", {}, { ["typst:inset"] = "0pt", ["typst:stroke"] = "none" })
  local row = { pandoc.Cell({ pandoc.RawBlock("typst", "#continued[" .. said .. "]") }, "AlignDefault", 1, #tbl.colspecs, look) }
  tbl.head.rows:insert(1, pandoc.Row(row))
end

local function bound(tbl, count)
  local function cell(span) return pandoc.Cell({}, "AlignDefault", span, 1) end
  tbl.colspecs:insert({ "AlignDefault", 0 })
  for _, row in ipairs(tbl.head.rows) do row.cells:insert(cell(1)) end
  local at = 0
  for _, body in ipairs(tbl.bodies) do
    for _, row in ipairs(body.body) do
      at = at + 1
      local left = count - at + 1
      if at == 1 then row.cells:insert(cell(ENDS.first))
      elseif left == ENDS.last then row.cells:insert(cell(ENDS.last))
      elseif at > ENDS.first and left > ENDS.last then row.cells:insert(cell(1)) end
    end
  end
  continued(tbl)
  return tbl
end

-- Lines that a row takes, and nearly: what a cell holds over the width of its column.
local function lines(row, specs)
  local most, at = 1, 1
  for _, cell in ipairs(row.cells) do
    local share = 0
    for i = at, at + cell.col_span - 1 do share = share + (specs[i] and specs[i][2] or 0) end
    if share > 0 then most = math.max(most, math.ceil((width(cell.contents)) / math.max(share * PAGE - SIDES, 1))) end
    at = at + cell.col_span
  end
  return most
end

-- A cell of the first column that is blank belongs to the one above it.
local function joined(tbl)
  for _, body in ipairs(tbl.bodies) do
    local rows, above = body.body, nil
    for i = 1, #rows do
      local cells = rows[i].cells
      local first = cells[1]
      if i > 1 and above and #cells > 1 and first.col_span == 1 and pandoc.utils.stringify(first.contents) == "" and #first.contents == 0 then
        local owner = rows[above].cells[1]
        owner.row_span = owner.row_span + 1
        rows[above].cells[1] = owner
        cells:remove(1)
        rows[i].cells = cells
      else
        above = #cells > 1 and i or nil
      end
    end
    body.body = rows
  end
  return tbl
end

local function Table(tbl)
  tbl = joined(shares(tbl))
  local count, height = 0, 0
  for _, body in ipairs(tbl.bodies) do
    count = count + #body.body
    for _, row in ipairs(body.body) do height = height + lines(row, tbl.colspecs) end
  end
  if not TYPST then return tbl end
  if height > SMALL and count > ENDS.first + ENDS.last then return bound(tbl, count) end
  return { pandoc.RawBlock("typst", "#whole["), tbl, pandoc.RawBlock("typst", "]") }
end

local function Image(image)
  if not image.src:match("^[%w_%-]+%.png$") then
    io.stderr:write("draft-problem\tpicture\t" .. image.src .. "\n")
    error("the draft has problems")
  end
end

-- One dash and a space as wide in English.
local function Meta(meta)
  ZH = pandoc.utils.stringify(meta.lang or "zh"):sub(1, 2) == "zh"
  if not ZH then DASH = "—\u{2003}" end
end

return { { Meta = Meta, Image = Image }, { Blocks = Blocks }, { Table = Table }, { Div = Div, BulletList = BulletList, OrderedList = OrderedList } }
