"""Vietnamese rules for the kind of a question, with tone marks and, for the commonest words, without.

RE2's word edge knows ASCII letters only, so ``_words`` writes the edges out.
"""

from __future__ import annotations

_EDGES = r"\s.,;:!?…/()\[\]\"'“”‘’«»–-"


def _words(*alternatives: str) -> str:
    return rf"(?:^|[{_EDGES}])(?:{'|'.join(alternatives)})(?:$|[{_EDGES}])"


_OFFICE = (
    r"(?:tổng thống|thủ tướng|chủ tịch|tổng bí thư|bộ trưởng|thống đốc|thị trưởng|giám đốc|ceo|vua|nữ hoàng|giáo hoàng|"
    r"hiệu trưởng|huấn luyện viên|đội trưởng|nhà vô địch|vô địch|người giàu nhất)"
)
_LANGUAGES = r"(?:python|javascript|typescript|java|php|sql|mysql|c\+\+|c#|golang|html|css|react|excel|linux|docker)"

ABOUT_GIVEN_TEXT = (
    r"(?s)^\s*(?:hãy |vui lòng |làm ơn |giúp (?:tôi|mình) |bạn )*"
    r"(?:dịch|viết lại|tóm tắt|sửa lỗi|chỉnh sửa|phân loại|trích xuất) [^.?!\n]*(?::|sau đây|dưới đây|sang tiếng|này).*$",
)
ABOUT_CODE = (
    r"(?s)^.*(?:viết|sửa|tạo|gỡ lỗi)[^.?!\n]*(?:mã|hàm|đoạn code|code|chương trình|script|truy vấn|ứng dụng).*$",
    rf"(?s)^.*(?:trong|bằng|với) {_LANGUAGES}.*$",
)

REALTIME = (
    _words("giá|giá cả|bao nhiêu tiền|gia vang|gia xang|gia ve|gia bao nhieu|bao nhieu tien"),
    _words("cổ phiếu|chứng khoán|vn-?index|tỷ giá|tỉ giá|bitcoin|ty gia"),
    _words("thời tiết|thoi tiet|nhiệt độ|dự báo|trời mưa|có mưa|mưa không|có nắng|chất lượng không khí|bão số"),
    _words("bây giờ|ngay lúc này|lúc này|hiện giờ|bay gio|mấy giờ rồi|là mấy giờ|hom nay|toi nay"),
    _words("hôm nay|tối nay|sáng nay|chiều nay|trưa nay|đêm nay|ngày mấy|thứ mấy"),
    _words("tin tức|tin nóng|tin mới|thời sự|tỷ số|tỉ số|kết quả trận|ai thắng|đang diễn ra|theo thời gian thực"),
    _words("kẹt xe|tắc đường|tình hình giao thông|giao thông (?:hiện|hôm nay|bây giờ|thế nào|có)"),
    _words("còn hàng|hết hàng|còn vé|còn phòng|còn chỗ|còn trống|trực tiếp (?:giá|tỷ số|kết quả)"),
)
REALTIME_IGNORE = (
    *ABOUT_GIVEN_TEXT,
    *ABOUT_CODE,
    _words(
        "(?:chính sách|chiến lược|định|cơ chế) (?:về )?giá|mã giá vé|giá trị|đánh giá|rạch giá|giá đỗ|giá sách|giá như"
    ),
    _words("(?:api|ứng dụng|dữ liệu|tiện ích) thời tiết"),
    _words("(?:cổ phiếu|chứng khoán|tỷ giá|tỷ giá hối đoái|thời tiết|bitcoin) là gì"),
    _words(r"(?:vì sao|tại sao|điều gì|yếu tố nào)[^.?!\n]*(?:giá|tỷ giá)[^.?!\n]*"),
    _words("(?:bây giờ|hôm nay) (?:tôi|mình|em|hãy|con|chúng tôi)|(?:tôi|mình|em) (?:bây giờ|hôm nay)"),
    _words("(?:từ|cho đến) (?:bây giờ|hôm nay)|ngày nay"),
    _words(r"(?:mở cửa|đóng cửa|làm việc|khởi hành|đến nơi)[^.?!\n]*mấy giờ"),
)

FACTUAL = (
    _words(
        "mới nhất|gần đây nhất|hiện tại|hiện nay|hiện thời|đương nhiệm|đương kim|gần đây|năm nay|tuần này|tháng này"
    ),
    _words("moi nhat|hien tai|hien nay|phien ban moi"),
    _words("ngày mai|hôm qua|tối qua|tuần sau|tuần tới|sắp tới|kỳ tới|mùa này|mùa giải này"),
    _words(rf"ai (?:là|đang là|làm)[^.?!\n]*{_OFFICE}"),
    _words(rf"{_OFFICE}[^.?!\n]*(?:là ai|tên gì|là người nào)"),
    _words("bảng xếp hạng|xếp hạng|kỷ lục thế giới|lãi suất|tỷ lệ lạm phát|thuế suất"),
    _words("khi nào (?:ra mắt|phát hành|bầu cử|diễn ra)|(?:ra mắt|phát hành) khi nào"),
)
FACTUAL_IGNORE = (
    *ABOUT_GIVEN_TEXT,
    _words(r"(?:tổng thống|thủ tướng|chủ tịch|vua) (?:đầu tiên|thứ (?:nhất|hai|ba|\d+))[^.?!\n]*|đầu tiên"),
    _words("(?:tôi|mình|em) (?:hiện tại|hiện nay|hiện)|(?:thư mục|tài khoản) hiện tại"),
)

OPINION = (
    _words("theo bạn|bạn nghĩ|bạn thấy|bạn thích|ý kiến|quan điểm|gợi ý|đề xuất|khuyên|nhận xét|cái nào|đánh giá"),
    _words("tốt nhất|đẹp nhất|hay nhất|ngon nhất|tốt hơn|hay hơn|có nên|có đáng|đáng (?:mua|xem|đọc|tiền)"),
    _words("nên (?:mua|chọn|học|đi|dùng|xem|ăn|đọc|đầu tư)|ưu nhược điểm|ưu (?:điểm )?và nhược điểm"),
)
OPINION_IGNORE = ABOUT_CODE

CODE = (
    _words(
        "lập trình|mã nguồn|đoạn mã|đoạn code|viết (?:code|chương trình|hàm|script)|câu truy vấn|câu lệnh|gỡ lỗi|biên dịch|api"
    ),
    _words("thuật toán|biểu thức chính quy|cấu trúc dữ liệu|đệ quy"),
    _words(rf"(?:hàm|lỗi|mảng|chuỗi|vòng lặp|thư viện|từ điển|danh sách|cài đặt|cài)[^.?!\n]*{_LANGUAGES}"),
    _words(rf"(?:trong|bằng|với) {_LANGUAGES}"),
)
CODE_IGNORE: tuple[str, ...] = ()

STATIC = (
    _words("chính sách|điều khoản|điều kiện sử dụng|quy định|quy chế|nội quy|thỏa thuận|bảo hành|quyền riêng tư"),
    _words("bảo mật thông tin|chinh sach|dieu khoan|bao hanh|(?:điều kiện|thủ tục) (?:đổi|hoàn|trả)"),
    _words("về chúng tôi|giới thiệu (?:về )?(?:công ty|các bạn|bạn|chúng tôi)|bạn là ai|sứ mệnh"),
    _words("công ty (?:của )?(?:bạn|các bạn) (?:là|làm|ở|có)|trụ sở"),
)
STATIC_IGNORE = (
    _words("chính sách (?:đối ngoại|tiền tệ|tài khóa|kinh tế|của chính phủ|nhà nước|nhập cư|mới)|quy định mới"),
)
