import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructField;

/**
 * Answers SQL statements in one Spark session: a statement a line on standard input, as a JSON string, an answer a
 * line on standard output, in the forms of Presto's JSON: {"columns":[[name,type]],"rows":[[value]]} or {"error":text}.
 */
public class SparkQueries {
    private static final DateTimeFormatter TIMESTAMP = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss.SSSSSS");

    public static void main(String[] args) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err); // whatever Spark prints is no answer
        SparkSession spark = SparkSession.builder().enableHiveSupport().getOrCreate();
        ObjectMapper json = new ObjectMapper();
        BufferedReader statements = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = statements.readLine()) != null; ) {
            Map<String, Object> answer = new TreeMap<>();
            try {
                Dataset<Row> result = spark.sql(json.readValue(line, String.class));
                ZoneId zone = ZoneId.of(spark.conf().get("spark.sql.session.timeZone"));
                List<Object> columns = new ArrayList<>();
                for (StructField field : result.schema().fields()) {
                    columns.add(List.of(field.name(), field.dataType().simpleString()));
                }
                List<Object> rows = new ArrayList<>();
                for (Row row : result.collectAsList()) {
                    rows.add(plain(row, zone));
                }
                answer.put("columns", columns);
                answer.put("rows", rows);
            } catch (Throwable error) {
                StringBuilder text = new StringBuilder();
                for (Throwable t = error; t != null; t = t.getCause()) {
                    text.append(text.length() == 0 ? "" : "\ncaused by: ").append(t);
                }
                answer = Map.of("error", text.toString());
            }
            answers.println(json.writeValueAsString(answer));
        }
        spark.stop();
    }

    private static Object plain(Object value, ZoneId zone) {
        if (value instanceof Row row) {
            List<Object> fields = new ArrayList<>();
            for (int i = 0; i < row.length(); i++) {
                fields.add(plain(row.get(i), zone));
            }
            return fields;
        }
        if (value instanceof scala.collection.Map<?, ?> map) {
            Map<String, Object> entries = new TreeMap<>();
            scala.collection.JavaConverters.mapAsJavaMap(map).forEach((k, v) -> entries.put(k.toString(), plain(v, zone)));
            return entries;
        }
        if (value instanceof scala.collection.Seq<?> sequence) {
            List<Object> elements = new ArrayList<>();
            scala.collection.JavaConverters.seqAsJavaList(sequence).forEach(v -> elements.add(plain(v, zone)));
            return elements;
        }
        if (value instanceof byte[] bytes) {
            return Base64.getEncoder().encodeToString(bytes);
        }
        if (value instanceof BigDecimal decimal) {
            return decimal.toPlainString();
        }
        if (value instanceof Instant instant) {
            return TIMESTAMP.format(instant.atZone(zone));
        }
        if (value instanceof Float || value instanceof Double) {
            double number = ((Number) value).doubleValue();
            return Double.isNaN(number) || Double.isInfinite(number) ? value.toString() : value;
        }
        return value instanceof java.time.LocalDate ? value.toString() : value;
    }
}
