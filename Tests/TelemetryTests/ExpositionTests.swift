// SPDX-License-Identifier: Apache-2.0

import Telemetry
import Testing

@Suite("Prometheus text")
struct ExpositionTests {
    @Test("a family is help, type and samples")
    func family() {
        var page = Exposition()
        page.begin(MetricFamily("apus_things_total", .counter, labels: ["kind"], "Things."))
        page.sample(LabelSet([("kind", "a")]), 3)
        page.sample(.none, 0.5)
        #expect(
            String(decoding: page.bytes, as: UTF8.self) == """
                # HELP apus_things_total Things.
                # TYPE apus_things_total counter
                apus_things_total{kind="a"} 3
                apus_things_total 0.5

                """)
    }

    @Test(
        "values are escaped so that no stranger can end a label or a line",
        arguments: [
            ("plain", "plain"), ("quo\"te", "quo\\\"te"), ("back\\slash", "back\\\\slash"), ("new\nline", "new\\nline"),
            ("carriage\rreturn", "carriage?return"), ("nul\u{0}", "nul?"), ("grüße", "grüße"),
        ])
    func escaping(value: String, written: String) {
        #expect(LabelSet([("x", value)]).text == "x=\"\(written)\"")
    }

    @Test("an empty value is left out")
    func emptyValue() {
        #expect(LabelSet([("a", ""), ("b", "1")]).text == "b=\"1\"")
        #expect(LabelSet([("a", "")]) == .none)
        #expect(LabelSet.none.joined(LabelSet([("b", "1")])).text == "b=\"1\"")
        #expect(LabelSet([("a", "1")]).joined(LabelSet([("b", "2")])).with("c", "3").text == "a=\"1\",b=\"2\",c=\"3\"")
    }

    @Test("buckets are cumulative and the last one is the count")
    func histogram() {
        var page = Exposition()
        page.begin(MetricFamily("h", .histogram, "H."))
        page.histogram(.none, bounds: ["1", "2"], counts: [3, 0, 4], sum: "9")
        let lines = String(decoding: page.bytes, as: UTF8.self).split(separator: "\n").dropFirst(2)
        #expect(
            lines == [
                "h_bucket{le=\"1\"} 3", "h_bucket{le=\"2\"} 3", "h_bucket{le=\"+Inf\"} 7", "h_sum 9", "h_count 7",
            ])
    }

    @Test("numbers have no form that Prometheus cannot read")
    func numbers() {
        #expect(Exposition.text(.infinity) == "+Inf")
        #expect(Exposition.text(-.infinity) == "-Inf")
        #expect(Exposition.text(.nan) == "NaN")
        #expect(Double(Exposition.text(0.000_001)) == 0.000_001)
    }

    @Test("names in the catalog are unique, counters end in _total and seconds are seconds")
    func catalog() {
        let names = Catalog.all.map(\.name)
        #expect(Set(names).count == names.count)
        for family in Catalog.all {
            #expect((family.kind == .counter) == family.name.hasSuffix("_total"), "\(family.name)")
            #expect(family.help.hasSuffix(".") && !family.help.contains("\n"), "\(family.name)")
            if family.name.hasPrefix("apus_"), family.kind == .histogram {
                #expect(family.name.hasSuffix("_seconds"), "\(family.name)")
            }
        }
    }
}
