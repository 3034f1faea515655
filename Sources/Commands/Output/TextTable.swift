// SPDX-License-Identifier: Apache-2.0

/// Columns of text, three spaces apart.
///
/// Linkerd's tables as Go's tabwriter draws them: the first `leftAligned` columns to the left, the rest to the right,
/// nothing after the last.
struct TextTable {
    private let header: [String]
    private let leftAligned: Int
    private var rows: [[String]] = []

    init(_ header: [String], leftAligned: Int = 1) {
        self.header = header
        self.leftAligned = leftAligned
    }

    mutating func add(_ row: [String]) {
        precondition(row.count == header.count, "a row has as many cells as the header")
        rows.append(row)
    }

    /// The table's lines, each with a newline.
    var text: String {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                let gap = column == 0 ? "" : "   "
                line += column < leftAligned ? gap + cell + padding : gap + padding + cell
            }
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}
